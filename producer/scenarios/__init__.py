"""In which order documents come, and how a stream changes."""
