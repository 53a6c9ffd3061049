package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// statement is one statement of a policy document, as IAM's JSON has it.
type statement map[string]any

// privileges are what a function may do beyond writing its log.
type privileges struct {
	Grants []grant
	Extra  []statement
}

// arns are what policies name.
type arns struct {
	table, index, logs, workerLogs, ring, letters, stream string
	tableKey                                              string // "" where AWS's own key seals the table
	seals                                                 []string
}

// statements gives the policy's statements. ForAllValues holds for a request
// without the key too, so every statement also wants it present.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (p privileges) statements(a arns, logs string) []statement {
	out := []statement{
		{"Effect": "Allow", "Action": []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": logs},
		// X-Ray's writes have no resources: IAM wants the star here, and nowhere else.
		{"Effect": "Allow", "Action": []string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, "Resource": "*"},
	}
	for _, g := range p.Grants {
		resource := a.table
		if g.Index {
			resource = a.index
		}
		actions := make([]string, len(g.Actions))
		for i, action := range g.Actions {
			actions[i] = "dynamodb:" + action
		}
		out = append(out, statement{"Effect": "Allow", "Action": actions, "Resource": resource, "Condition": map[string]any{
			"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": g.Keys},
			"Null":                    map[string]any{"dynamodb:LeadingKeys": "false"},
		}})
	}
	if a.tableKey != "" && len(p.Grants) > 0 {
		out = append(out, useTableKey(a.tableKey))
	}
	return append(out, p.Extra...)
}

// useTableKey lets a function use the customer's key of the table, and only
// through DynamoDB, which asks KMS in the function's name. AWS's own key needs
// no such statement.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
// https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html
func useTableKey(key string) statement {
	s := allow(key, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo")
	s["Condition"] = map[string]any{"StringLike": map[string]any{"kms:ViaService": "dynamodb.*.amazonaws.com"}}
	return s
}

func allow(resource string, actions ...string) statement {
	return statement{"Effect": "Allow", "Action": actions, "Resource": resource}
}

// useSealKeys allows what an operation does with the keys for secrets of
// authenticator apps, in the encryption context of those and no other; whose
// secret it is differs from request to request.
//
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
func useSealKeys(keys []string, op operation) []statement {
	var actions []string
	if op.Seals {
		actions = append(actions, "kms:Encrypt")
	}
	if op.Opens {
		actions = append(actions, "kms:Decrypt")
	}
	if len(actions) == 0 || len(keys) == 0 {
		return nil
	}
	return []statement{{"Effect": "Allow", "Action": actions, "Resource": keys, "Condition": map[string]any{
		"StringEquals":              map[string]any{"kms:EncryptionContext:lanyard:purpose": "totp"},
		"ForAllValues:StringEquals": map[string]any{"kms:EncryptionContextKeys": []string{"lanyard:purpose", "lanyard:user"}},
	}}}
}

// class names the privileges: functions of one class share a role, which keeps
// the stack far below CloudFormation's 500 resources. resolve puts references in
// the place of the CDK's placeholders, which number themselves: roles must not
// change their names, and be replaced, because something else was added.
func (p privileges) class(resolve func(any) any) (string, error) {
	raw, err := json.Marshal(p)
	if err == nil {
		raw, err = json.Marshal(resolve(string(raw)))
	}
	if err != nil {
		return "", fmt.Errorf("name a privilege class: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))[:10], nil
}
