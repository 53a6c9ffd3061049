// Package api is the HTTP side of Lanyard: how an operation is declared, the
// one pipeline that every request passes, and the form that answers and
// problems take.
//
// An operation is declared once, beside its handler, with New. What it says of
// itself (path, access, table use, password hashing) is the single source for
// the Lambda functions, the templates, the OpenAPI document and the local
// server. It cannot opt out of the pipeline: match, identify, refuse or admit,
// bound and parse the body, act, encode, log.
//
// It must not know the store, the AWS event types, or any domain type.
package api
