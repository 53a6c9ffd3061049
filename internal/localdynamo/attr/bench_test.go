package attr_test

import (
	"encoding/json"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

const benchItem = `{"PK":{"S":"USER#0190f5e0-7c3a-7bcd-8def-0123456789ab"},"SK":{"S":"PROFILE"},"email":{"S":"someone@example.com"},
	"role":{"S":"user"},"version":{"N":"17"},"lastLoginAt":{"N":"1795243807"},"emailVerified":{"BOOL":true},"hash":{"B":"AAECAwQFBgcICQoLDA0ODw=="},
	"tags":{"SS":["a","b","c"]},"data":{"M":{"x":{"N":"1.5"},"y":{"L":[{"S":"z"}]}}}}`

func BenchmarkItem(b *testing.B) {
	var it attr.Item
	if err := json.Unmarshal([]byte(benchItem), &it); err != nil {
		b.Fatal(err)
	}
	stored := attr.AppendItem(nil, it)
	b.Run("decode JSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var it attr.Item
			_ = json.Unmarshal([]byte(benchItem), &it)
		}
	})
	b.Run("append JSON", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = attr.AppendItemJSON(buf[:0], it)
		}
	})
	b.Run("decode stored", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = attr.DecodeItem(stored)
		}
	})
	b.Run("append stored", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = attr.AppendItem(buf[:0], it)
		}
	})
}
