package mail

import "net/smtp"

// LoginAuth opens the LOGIN mechanism to tests.
func LoginAuth(username, password string) smtp.Auth { return &loginAuth{username, password} }
