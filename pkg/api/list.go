package api

// ListInput is what every list takes.
type ListInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"At most so many items."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"Where to go on: nextCursor of the answer before."`
}

// List is the body of every list.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"nextCursor,omitempty" doc:"Send it as cursor for the next page; absent on the last."`
}

// Empty is the answer of operations that say nothing but 204.
type Empty struct{}
