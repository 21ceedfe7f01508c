"""Features of documents: computed once, however often a document is learned."""
