package account

import (
	"fmt"
	"strings"
)

// words is what a page says in one language. The scripts read from the markup
// what they show later.
type words struct {
	German                             bool // for the words in noscript, where nothing may be filled in
	Language                           string
	NewPassword, Hint                  string
	Wait, Unreachable, Ended, TooOften string
	Refused, SignIn                    string
	verify, reset, invite              texts
	Done                               string // of the page at hand
	verifyDone, resetDone, inviteDone  string
}

// texts is what a page begins with.
type texts struct{ title, text, button string }

// wordsFor gives the words of the first language in an Accept-Language header
// (RFC 9110, section 12.5.4) that pages are written in, else those of fallback.
// Browsers name languages in the order of preference, so weights are not read.
func wordsFor(accept, fallback string) words {
	for tag := range strings.SplitSeq(accept, ",") {
		tag, _, _ = strings.Cut(tag, ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		switch primary {
		case "de":
			return german()
		case "en":
			return english()
		}
	}
	if fallback == "de" {
		return german()
	}
	return english()
}

func (w words) hint(least int) string { return fmt.Sprintf(w.Hint, least) }

func english() words {
	return words{
		Language:    "en",
		NewPassword: "New password",
		Hint:        "At least %d characters. A few unrelated words make a good password.",
		Wait:        "One moment…",
		Unreachable: "That did not work. Check your connection and try again.",
		Ended:       "The link is not valid any more; ask for a new one.",
		TooOften:    "Too many attempts. Wait a few minutes and try again.",
		Refused:     "Choose another password: a longer one, which is neither common nor made of your name or address.",
		SignIn:      "Sign in first, in this browser, then open this link again.",
		verify: texts{
			"Confirm your e-mail address",
			"Press the button to confirm the address that this link was sent to. If you did not ask for it, close this page.",
			"Confirm",
		},
		reset: texts{"Choose a new password", "Every device that is signed in to your account will be signed out.", "Set password"},
		invite: texts{
			"You are invited", "Sign in with the address that this invitation was sent to, then press the button to accept it.", "Accept",
		},
		verifyDone: "Thank you. Your address is confirmed, and you can sign in.",
		resetDone:  "Your new password is set, and you can sign in.",
		inviteDone: "Welcome. You are a member now.",
	}
}

func german() words {
	return words{
		Language:    "de",
		German:      true,
		NewPassword: "Neues Passwort",
		Hint:        "Mindestens %d Zeichen. Einige Wörter ohne Zusammenhang ergeben ein gutes Passwort.",
		Wait:        "Einen Augenblick …",
		Unreachable: "Das hat nicht geklappt. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.",
		Ended:       "Der Link gilt nicht mehr; fordern Sie einen neuen an.",
		TooOften:    "Zu viele Versuche. Warten Sie einige Minuten und versuchen Sie es noch einmal.",
		Refused:     "Wählen Sie ein anderes Passwort: ein längeres, das weder verbreitet ist noch aus Ihrem Namen oder Ihrer Adresse besteht.",
		SignIn:      "Melden Sie sich zuerst in diesem Browser an und öffnen Sie den Link dann noch einmal.",
		verify: texts{
			"E-Mail-Adresse bestätigen",
			"Mit der Schaltfläche bestätigen Sie die Adresse, an die dieser Link geschickt wurde. Falls Sie ihn nicht angefordert haben, schließen Sie diese Seite.",
			"Bestätigen",
		},
		reset: texts{"Neues Passwort wählen", "Alle angemeldeten Geräte werden dabei abgemeldet.", "Passwort setzen"},
		invite: texts{
			"Sie sind eingeladen",
			"Melden Sie sich mit der Adresse an, an die diese Einladung ging, und nehmen Sie sie dann mit der Schaltfläche an.", "Annehmen",
		},
		verifyDone: "Vielen Dank. Ihre Adresse ist bestätigt, und Sie können sich anmelden.",
		resetDone:  "Ihr neues Passwort gilt, und Sie können sich anmelden.",
		inviteDone: "Willkommen. Sie sind jetzt Mitglied.",
	}
}
