"""The prequential loop: predict, score, learn, remember."""
