"""How streams really behave, simulated: one generator each, repeatable by seed, its truth told."""
