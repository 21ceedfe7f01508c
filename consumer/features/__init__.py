"""What is computed of a document once, however often it is learned."""
