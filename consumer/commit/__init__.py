"""The one commit point, what it publishes, and how a run resumes from it."""
