"""Records as people have them: where their texts and labels are, and how both are encoded."""
