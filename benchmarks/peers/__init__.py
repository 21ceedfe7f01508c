"""Learners of other libraries, each used as its library recommends.

The settings of each have the best prequential accuracy over the first 2,500 documents of the raw
stream (seed 0).
"""
