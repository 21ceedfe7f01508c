"""Other libraries' learners, each as its library means it to be used.

What each is set to was chosen by its prequential accuracy over the first 2,500 documents of the raw
stream (seed 0).
"""
