package template

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"

	"golang.org/x/net/html"
)

// A probe stands for what is filled in. Where the HTML tokenizer gives it back
// whole, so will it every escaped value; outside of text and double quotes one
// of its characters ends something.
const probe = "\uE000' >\uE001"

// Attributes whose values are addresses, by the HTML standard's list.
// https://html.spec.whatwg.org/multipage/indices.html#attributes-3
var addresses = []string{"action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon", "longdesc",
	"manifest", "ping", "poster", "profile", "src", "usemap", "xlink:href"}

// spot is where in a page something stands: in text, where both are empty or
// the element is one whose content is text alone, or in an attribute's value.
type spot struct{ element, attribute string }

// where finds the spot that follows a piece of a page; ok is false where
// nothing may be filled in.
func where(before string) (s spot, ok bool) {
	if strings.HasSuffix(before, "<") || strings.HasSuffix(before, "</") {
		return s, false // it would name an element
	}
	z := html.NewTokenizer(strings.NewReader(before + probe + `">`))
	open := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return spot{}, false
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			for _, a := range t.Attr {
				if strings.Contains(a.Val, probe) {
					return spot{t.Data, a.Key}, true
				}
			}
			open = t.Data
		case html.TextToken:
			if strings.Contains(string(z.Text()), probe) {
				switch open {
				case "title", "textarea":
					return spot{element: open}, true
				case "script", "style", "iframe", "noembed", "noframes", "noscript", "plaintext", "xmp":
					return spot{element: open}, false
				}
				return spot{}, true
			}
		case html.EndTagToken:
			open = ""
		}
	}
}

// harmless reports whether escaped text may stand at s, and whether it leads
// somewhere there.
func (s spot) harmless() (ok, leads bool) {
	a := s.attribute
	if strings.HasPrefix(a, "on") || a == "style" || a == "srcdoc" || a == "srcset" || a == "imagesrcset" || a == "http-equiv" || (s.element == "meta" && a == "content") {
		return false, false
	}
	return true, slices.Contains(addresses, a)
}

// place finds where every field of n stands, after what comes before it, and
// gives that with n's own text added.
func (t *Template) place(before string, n parse.Node) (string, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		return before + string(n.Text), nil
	case *parse.ListNode:
		if n == nil {
			return before, nil
		}
		var err error
		for _, m := range n.Nodes {
			if before, err = t.place(before, m); err != nil {
				return "", err
			}
		}
	case *parse.ActionNode:
		s, ok := where(before)
		safe, leads := s.harmless()
		if !ok || !safe {
			return "", fmt.Errorf("%s: nothing may be filled in here", n)
		}
		t.leading[n] = leads
		return before + "x", nil
	case *parse.IfNode:
		return t.both(before, &n.BranchNode)
	case *parse.WithNode:
		return t.both(before, &n.BranchNode)
	case *parse.RangeNode:
		after, err := t.both(before, &n.BranchNode)
		if err != nil {
			return "", err
		}
		if !same(before, after) {
			return "", fmt.Errorf("{{range %s}}: ends elsewhere than it begins", n.Pipe)
		}
		return after, nil
	case *parse.TemplateNode:
		// Its block is looked at by itself, as text.
		if s, ok := where(before); !ok || s != (spot{}) {
			return "", fmt.Errorf("%s: a block may be used in text alone", n)
		}
	}
	return before, nil
}

// both places both branches, which must end in the same spot.
func (t *Template) both(before string, n *parse.BranchNode) (string, error) {
	first, err := t.place(before, n.List)
	if err != nil {
		return "", err
	}
	second, err := t.place(before, n.ElseList)
	if err != nil {
		return "", err
	}
	if !same(first, second) {
		return "", fmt.Errorf("{{%s}}: its branches end in different places", n.Pipe)
	}
	return first, nil
}

func same(a, b string) bool {
	s, ok := where(a)
	o, also := where(b)
	return s == o && ok == also
}
