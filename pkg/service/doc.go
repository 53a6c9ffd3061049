// Package service is the short list of what every domain service is made from:
// configuration, table, key ring, clock, log. Whoever starts a program (a
// Lambda function, the local binary, a test) fills a Deps once and hands it to
// the constructors; nothing else is shared.
//
// It must not know any domain package.
package service
