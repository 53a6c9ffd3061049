package bench

import "flag"

var mostUsers = flag.Int("most-users", 100_000, "with how many users BenchmarkGrowth stops")
