// Command load puts load on a Lanyard of this machine and reports what came
// back: throughput, latencies, errors, and the server's memory.
//
// It is a closed system with bounds: so many workers, so long, and loopback
// addresses only, so that nobody aims it at a deployment. With -serve it starts
// the server itself, on an empty store and with abuse limits off, and ends it.
//
// It knows the API by its routes and nothing of what is behind them.
package main
