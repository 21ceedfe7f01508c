"""What the process that lives are forked from has imported; it starts no threads."""
