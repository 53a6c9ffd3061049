package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// errSignedOut means that Lanyard does not honour the token any more.
var errSignedOut = errors.New("signed out")

// lead is somebody who may buy.
type lead struct {
	ID       int       `json:"id"`
	Owner    string    `json:"owner"` // user id
	EntityID string    `json:"entityId,omitempty"`
	Title    string    `json:"title"`
	At       time.Time `json:"at"`
}

// service answers the four routes.
type service struct {
	tokens interface {
		Verify(ctx context.Context, raw string) (token.Claims, error)
	}
	rights *rights

	mu    sync.Mutex
	leads []lead
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /leads", s.known(s.list))
	mux.HandleFunc("POST /leads", s.known(s.add))
	mux.HandleFunc("GET /entities/{entityId}/leads", s.known(s.allowed("view", "cached", s.list)))
	mux.HandleFunc("POST /entities/{entityId}/leads", s.known(s.allowed("edit", "strong", s.add)))
	return mux
}

// somebody is a caller whose token was good.
type somebody struct {
	token.Claims
	bearer string
}

// known lets in who brings a good access token.
func (s *service) known(next func(http.ResponseWriter, *http.Request, somebody)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			unauthorized(w, "")
			return
		}
		claims, err := s.tokens.Verify(r.Context(), bearer)
		switch {
		case errors.Is(err, token.ErrUnavailable): // the keys cannot be had: nobody is let in, and nobody is called a liar
			log.Print("keys: ", err)
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		case err != nil:
			unauthorized(w, `, error="invalid_token"`) // RFC 6750 §3.1
		default:
			next(w, r, somebody{claims, bearer})
		}
	}
}

func unauthorized(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", "Bearer"+why)
	http.Error(w, "sign in first", http.StatusUnauthorized)
}

// allowed lets in who may do something with the entity of the path. Who may not
// see it is told what somebody is told who asks for one that does not exist.
func (s *service) allowed(action, consistency string, next func(http.ResponseWriter, *http.Request, somebody)) func(http.ResponseWriter, *http.Request, somebody) {
	return func(w http.ResponseWriter, r *http.Request, who somebody) {
		ok, err := s.rights.check(r.Context(), who.bearer, r.PathValue("entityId"), action, consistency)
		switch {
		case errors.Is(err, errSignedOut):
			unauthorized(w, `, error="invalid_token"`)
		case err != nil: // no answer is no right
			log.Print("rights: ", err)
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		case !ok:
			http.Error(w, "no such entity, or it is not yours to "+action, http.StatusForbidden)
		default:
			next(w, r, who)
		}
	}
}

// list shows the leads about the entity of the path or, without one, the caller's own.
func (s *service) list(w http.ResponseWriter, r *http.Request, who somebody) {
	entity := r.PathValue("entityId")
	found := []lead{}
	s.mu.Lock()
	for _, l := range s.leads {
		if (entity == "" && l.Owner == who.UserID) || (entity != "" && l.EntityID == entity) {
			found = append(found, l)
		}
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"items": found})
}

// add keeps a lead of the caller's, about the entity of the path if there is one.
func (s *service) add(w http.ResponseWriter, r *http.Request, who somebody) {
	var in struct {
		Title string `json:"title"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.Title == "" || len(in.Title) > 200 {
		http.Error(w, `expected {"title": "..."}, 1 to 200 bytes`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	l := lead{ID: len(s.leads) + 1, Owner: who.UserID, EntityID: r.PathValue("entityId"), Title: in.Title, At: time.Now().UTC()}
	s.leads = append(s.leads, l)
	s.mu.Unlock()
	answer(w, http.StatusCreated, l)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print("answer: ", err) // the client went away
	}
}
