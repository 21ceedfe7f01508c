"""How learners cope with streams that change."""
