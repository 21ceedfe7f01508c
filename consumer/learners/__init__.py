"""How the model learns: a protocol, its learners, and the blend of them."""
