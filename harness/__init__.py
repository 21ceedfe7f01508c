"""An embedded Kafka and supervised processes, for tests, demo, faults and benchmarks."""
