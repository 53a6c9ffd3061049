package peers

import (
	"context"
	"fmt"
	"testing"

	"github.com/casbin/casbin/v2"
	casbinmodel "github.com/casbin/casbin/v2/model"
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	openfga "github.com/openfga/api/proto/openfga/v1"
	"github.com/openfga/language/pkg/go/transformer"
	"github.com/openfga/openfga/pkg/server"
	"github.com/openfga/openfga/pkg/storage/memory"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// BenchmarkCheck is one permission check by each.
func BenchmarkCheck(b *testing.B) {
	w := newWorld()
	ctx := context.Background()
	b.Run("map", func(b *testing.B) {
		measure(b, w, func(p pair) (bool, error) { return w.held[p], nil })
	})
	for name, how := range map[string]access.Consistency{"lanyard-cached": access.Cached, "lanyard-from-memory": access.Strong} {
		b.Run(name, func(b *testing.B) {
			c := newChecker(b, w)
			for _, g := range w.grants { // fill the cache
				if _, err := c.Check(ctx, g.user, access.Ref{Kind: access.KindEntity, ID: g.entity}, access.ActionEdit, access.Cached); err != nil {
					b.Fatal(err)
				}
			}
			measure(b, w, func(p pair) (bool, error) {
				d, err := c.Check(ctx, p.user, access.Ref{Kind: access.KindEntity, ID: p.entity}, access.ActionEdit, how)
				return d.Allowed, err
			})
		})
	}
	b.Run("casbin", func(b *testing.B) {
		e, err := casbin.NewEnforcer(casbinWorld(b, w))
		if err != nil {
			b.Fatal(err)
		}
		addAll(b, w, e.AddPolicies)
		measure(b, w, func(p pair) (bool, error) { return e.Enforce(p.user, p.entity, "edit") })
	})
	b.Run("casbin-cached", func(b *testing.B) {
		e, err := casbin.NewCachedEnforcer(casbinWorld(b, w))
		if err != nil {
			b.Fatal(err)
		}
		addAll(b, w, e.AddPolicies)
		for _, q := range w.questions { // fill the cache
			if _, err := e.Enforce(q.user, q.entity, "edit"); err != nil {
				b.Fatal(err)
			}
		}
		measure(b, w, func(p pair) (bool, error) { return e.Enforce(p.user, p.entity, "edit") })
	})
	b.Run("cedar", func(b *testing.B) {
		policies, entities := cedarWorld(b, w)
		measure(b, w, func(p pair) (bool, error) {
			decision, diagnostic := cedar.Authorize(policies, entities, cedar.Request{
				Principal: types.NewEntityUID("User", types.String(p.user)), Action: types.NewEntityUID("Action", "edit"),
				Resource: types.NewEntityUID("Entity", types.String(p.entity)),
			})
			if len(diagnostic.Errors) > 0 {
				return false, fmt.Errorf("cedar: %v", diagnostic.Errors)
			}
			return decision == cedar.Allow, nil
		})
	})
	b.Run("openfga", func(b *testing.B) {
		check := openfgaWorld(b, w)
		measure(b, w, check)
	})
}

// casbinWorld is casbin's ACL model.
func casbinWorld(b *testing.B, _ *world) casbinmodel.Model {
	b.Helper()
	m, err := casbinmodel.NewModelFromString(`
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func addAll(b *testing.B, w *world, add func([][]string) (bool, error)) {
	b.Helper()
	rules := make([][]string, len(w.grants))
	for i, g := range w.grants {
		rules[i] = []string{g.user, g.entity, "edit"}
	}
	if ok, err := add(rules); err != nil || !ok {
		b.Fatal(ok, err)
	}
}

// cedarWorld makes the editors of an entity a group that users are in, which is
// how Cedar has roles on single resources.
func cedarWorld(b *testing.B, w *world) (*cedar.PolicySet, types.EntityMap) {
	b.Helper()
	policies, err := cedar.NewPolicySetFromBytes("policy.cedar",
		[]byte(`permit(principal, action == Action::"edit", resource) when { principal in resource.editors };`))
	if err != nil {
		b.Fatal(err)
	}
	entities := types.EntityMap{}
	editors := func(e string) types.EntityUID { return types.NewEntityUID("Editors", types.String(e)) }
	for _, e := range w.entities {
		uid := types.NewEntityUID("Entity", types.String(e))
		entities[uid] = types.Entity{UID: uid, Attributes: types.NewRecord(types.RecordMap{"editors": editors(e)})}
		entities[editors(e)] = types.Entity{UID: editors(e)}
	}
	in := map[string][]types.EntityUID{}
	for _, g := range w.grants {
		in[g.user] = append(in[g.user], editors(g.entity))
	}
	for user, groups := range in {
		uid := types.NewEntityUID("User", types.String(user))
		entities[uid] = types.Entity{UID: uid, Parents: types.NewEntityUIDSet(groups...)}
	}
	return policies, entities
}

// openfgaWorld runs an OpenFGA server in this process on its memory store.
func openfgaWorld(b *testing.B, w *world) func(pair) (bool, error) {
	b.Helper()
	ctx := context.Background()
	s, err := server.NewServerWithOpts(server.WithDatastore(memory.New(memory.WithMaxTuplesPerWrite(100))))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	store, err := s.CreateStore(ctx, &openfga.CreateStoreRequest{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	model, err := transformer.TransformDSLToProto(`model
  schema 1.1
type user
type entity
  relations
    define editor: [user]
    define can_edit: editor
`)
	if err != nil {
		b.Fatal(err)
	}
	made, err := s.WriteAuthorizationModel(ctx, &openfga.WriteAuthorizationModelRequest{
		StoreId: store.GetId(), SchemaVersion: model.GetSchemaVersion(), TypeDefinitions: model.GetTypeDefinitions(),
	})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < len(w.grants); from += 100 {
		var keys []*openfga.TupleKey
		for _, g := range w.grants[from : from+100] {
			keys = append(keys, &openfga.TupleKey{User: "user:" + g.user, Relation: "editor", Object: "entity:" + g.entity})
		}
		if _, err := s.Write(ctx, &openfga.WriteRequest{
			StoreId: store.GetId(), AuthorizationModelId: made.GetAuthorizationModelId(), Writes: &openfga.WriteRequestWrites{TupleKeys: keys},
		}); err != nil {
			b.Fatal(err)
		}
	}
	return func(p pair) (bool, error) {
		out, err := s.Check(ctx, &openfga.CheckRequest{
			StoreId: store.GetId(), AuthorizationModelId: made.GetAuthorizationModelId(),
			TupleKey: &openfga.CheckRequestTupleKey{User: "user:" + p.user, Relation: "can_edit", Object: "entity:" + p.entity},
		})
		return out.GetAllowed(), err
	}
}
