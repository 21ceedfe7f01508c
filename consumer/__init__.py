"""The service that learns: predict each document, score the prediction, learn from it."""
