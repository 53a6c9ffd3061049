package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
)

// query is one series that an alarm watches.
type query struct {
	Namespace, MetricName string
	Dimensions            []struct{ Name, Value any }
}

func (q query) String() string {
	var dims []string
	for _, d := range q.Dimensions {
		dims = append(dims, fmt.Sprintf("%v=%s", d.Name, text(d.Value)))
	}
	return strings.TrimSpace(q.Namespace + " " + q.MetricName + " " + strings.Join(dims, ","))
}

// watched gives what an alarm watches.
func watched(t *testing.T, r resource) (all []query, expression string) {
	t.Helper()
	var p struct {
		query
		Metrics []struct {
			Id, Expression string
			ReturnData     bool
			MetricStat     *struct{ Metric query }
		}
	}
	if err := json.Unmarshal([]byte(text(r.Properties)), &p); err != nil {
		t.Fatal(err)
	}
	if p.MetricName != "" {
		return []query{p.query}, ""
	}
	for _, m := range p.Metrics {
		if m.MetricStat != nil {
			all = append(all, m.MetricStat.Metric)
		} else {
			expression = m.Expression
		}
		if m.ReturnData != (m.MetricStat == nil) {
			t.Errorf("%s returns data: %v", m.Id, m.ReturnData)
		}
	}
	return all, expression
}

func alarmsWatch(t *testing.T, v *inventory, code map[string]resource) {
	alarms := of(code, "AWS::CloudWatch::Alarm")
	t.Run("every promised alarm watches its metric", func(t *testing.T) {
		for id, want := range map[string]struct{ series, statistic string }{
			"ServerErrorsAlarm":  {`Lanyard ServerErrors stage="prod"`, "Sum"},
			"GatewayErrorsAlarm": {`AWS/ApiGateway 5xx ApiId={"Ref":"Api"}`, "Sum"},
			"SlowAlarm":          {`Lanyard Latency stage="prod"`, "p99"},
			"ThrottledAlarm":     {`Lanyard Throttled stage="prod"`, "Sum"},
			"LockoutsAlarm":      {`Lanyard Lockouts stage="prod"`, "Sum"},
			"RefreshReuseAlarm":  {`Lanyard RefreshReuse stage="prod"`, "Sum"},
			"DeadLettersAlarm":   {`AWS/SQS ApproximateNumberOfMessagesVisible QueueName={"Fn::GetAtt":["DeadLetters","QueueName"]}`, "Maximum"},
			"MailLateAlarm":      {`AWS/Lambda IteratorAge FunctionName="lanyard-prod-mailer"`, "Maximum"},
			"RotatorErrorsAlarm": {`AWS/Lambda Errors FunctionName="lanyard-prod-key-rotator"`, "Sum"},
			"ConcurrencyAlarm":   {`AWS/Lambda Throttles`, "Sum"},
		} {
			r, ok := alarms[id]
			if !ok {
				t.Errorf("no %s", id)
				continue
			}
			series, _ := watched(t, r)
			statistic := r.Properties["Statistic"]
			if strings.HasPrefix(want.statistic, "p") {
				statistic = r.Properties["ExtendedStatistic"]
			}
			if len(series) != 1 || series[0].String() != want.series || statistic != want.statistic {
				t.Errorf("%s watches %v of %v, want %v", id, statistic, series, want)
			}
			if threshold, _ := r.Properties["Threshold"].(float64); threshold < 1 || r.Properties["ComparisonOperator"] != "GreaterThanOrEqualToThreshold" || r.Properties["TreatMissingData"] != "notBreaching" {
				t.Errorf("%s: %s", id, text(r.Properties))
			}
		}
	})
	t.Run("alarms ask for metrics that functions write", func(t *testing.T) {
		asked := 0
		for id, r := range alarms {
			series, _ := watched(t, r)
			for _, q := range series {
				if q.Namespace != v.Namespace {
					continue
				}
				asked++
				var dims []string
				for _, d := range q.Dimensions {
					dims = append(dims, fmt.Sprint(d.Name))
				}
				if !slices.ContainsFunc(v.Metrics, func(s metricSet) bool {
					return slices.Equal(s.Dimensions, dims) && slices.Contains(s.Metrics, q.MetricName)
				}) {
					t.Errorf("%s asks for %s, which no function writes", id, q)
				}
			}
		}
		if asked < 5 {
			t.Errorf("only %d alarms ask for the functions' own metrics", asked)
		}
	})
	t.Run("the hashing functions' throttles are watched, every one", func(t *testing.T) {
		found := map[string]bool{}
		for id, r := range alarms {
			if !strings.HasPrefix(id, "Hashing") {
				continue
			}
			series, expression := watched(t, r)
			for i, q := range series {
				found[q.String()] = true
				if len(series) > 1 && !strings.Contains(expression, fmt.Sprintf("FILL(m%d,0)", i)) {
					t.Errorf("%s leaves out %s: %q", id, q, expression)
				}
			}
		}
		n := 0
		for _, op := range v.Operations {
			if op.Hashes {
				n++
				if !found[fmt.Sprintf(`AWS/Lambda Throttles FunctionName="lanyard-prod-%s"`, op.ID)] {
					t.Errorf("%s can be starved unseen", op.ID)
				}
			}
		}
		if n == 0 || len(found) != n {
			t.Errorf("%d functions hash, %d are watched", n, len(found))
		}
	})
	t.Run("the dashboard shows every alarm and every operation", func(t *testing.T) {
		boards := of(code, "AWS::CloudWatch::Dashboard")
		if len(boards) != 1 {
			t.Fatalf("%d dashboards", len(boards))
		}
		for _, r := range boards {
			body := written(t, r.Properties["DashboardBody"])
			var doc struct {
				Widgets []struct {
					X, Y, Width, Height int
					Properties          struct {
						Title   string
						Metrics []any
					}
				}
			}
			if err := json.Unmarshal([]byte(body), &doc); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if len(doc.Widgets) != len(alarms)+2 {
				t.Errorf("%d widgets, %d alarms", len(doc.Widgets), len(alarms))
			}
			for _, w := range doc.Widgets {
				if w.Properties.Title == "" || len(w.Properties.Metrics) == 0 || w.X+w.Width > 24 {
					t.Errorf("widget %+v", w)
				}
			}
			for _, want := range []string{"RefreshReuse", "Lockouts", `SEARCH('{Lanyard,stage,operation} MetricName=\"Latency\" stage=\"prod\"', 'p99', 300)`} {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		}
	})
}

// written gives a string of a template, with every reference of it as <ref>.
func written(t *testing.T, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	var join struct {
		Parts []json.RawMessage `json:"Fn::Join"`
	}
	var parts []any
	if err := json.Unmarshal([]byte(text(v)), &join); err != nil || len(join.Parts) != 2 {
		t.Fatalf("no text: %s", text(v))
	}
	if err := json.Unmarshal(join.Parts[1], &parts); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
		} else {
			b.WriteString("<ref>")
		}
	}
	return b.String()
}

// synthesised gives the resources of both stacks of a changed stage.
func synthesised(t *testing.T, name string, change func(*Stage)) (kept, code map[string]resource) {
	t.Helper()
	v, err := readInventory("../api/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&s)
	data, api, err := stacks(cdk.NewApp(nil), s, v, built(t, v))
	if err != nil {
		t.Fatal(err)
	}
	return resources(t, data.stack), resources(t, api.stack)
}

func TestOptionsOfAStage(t *testing.T) {
	const key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	const certificate, topic = "arn:aws:acm:eu-central-1:123456789012:certificate/a", "arn:aws:sns:eu-central-1:123456789012:oncall"
	kept, code := synthesised(t, "prod", func(s *Stage) {
		s.KMSKey, s.Domain, s.Certificate, s.AlarmTopic, s.CORSOrigins = key, "auth.example.com", certificate, topic, nil
		s.SandboxRecipients = []string{"me@example.org"}
		s.Settings = map[string]string{"LANYARD_KEYS_ROTATE": "168h"}
	})
	t.Run("a key of the customer's seals the table, and functions use it through DynamoDB alone", func(t *testing.T) {
		for _, r := range of(kept, "AWS::DynamoDB::Table") {
			if p := text(r.Properties["SSESpecification"]); !strings.Contains(p, key) {
				t.Error(p)
			}
		}
		for id, r := range of(code, "AWS::IAM::Role") {
			data, uses := false, false
			for _, st := range policyStatements(t, r) {
				action := text(st["Action"])
				data = data || strings.Contains(action, "dynamodb:") && !strings.Contains(action, "Stream")
				if strings.Contains(action, "kms:GenerateDataKey") {
					uses = true
					if text(st["Resource"]) != text(key) || !strings.Contains(text(st["Condition"]), `"kms:ViaService":"dynamodb.*.amazonaws.com"`) || strings.Contains(action, "*") {
						t.Errorf("%s: %s", id, text(st))
					}
				}
			}
			if data != uses {
				t.Errorf("%s reaches the table: %v, its key: %v", id, data, uses)
			}
		}
	})
	t.Run("a custom domain is the only way in", func(t *testing.T) {
		if code["Api"].Properties["DisableExecuteApiEndpoint"] != true {
			t.Error("the default endpoint is open")
		}
		p := text(code["Domain"].Properties)
		for _, want := range []string{`"DomainName":"auth.example.com"`, certificate, `"SecurityPolicy":"TLS_1_2"`, `"EndpointType":"REGIONAL"`} {
			if !strings.Contains(p, want) {
				t.Errorf("no %s in %s", want, p)
			}
		}
		if m := text(code["Mapping"].Properties); !strings.Contains(m, `{"Ref":"Domain"}`) || !strings.Contains(m, `{"Ref":"Api"}`) {
			t.Error(m)
		}
	})
	t.Run("alarms call the topic, and tell it when they are over", func(t *testing.T) {
		for id, r := range of(code, "AWS::CloudWatch::Alarm") {
			if want := text([]string{topic}); text(r.Properties["AlarmActions"]) != want || text(r.Properties["OKActions"]) != want {
				t.Errorf("%s: %s", id, text(r.Properties))
			}
		}
	})
	t.Run("no origins, no CORS", func(t *testing.T) {
		if c := code["Api"].Properties["CorsConfiguration"]; c != nil {
			t.Error(text(c))
		}
	})
	t.Run("mail may go to the sandbox's recipients", func(t *testing.T) {
		role := strings.Trim(regexp.MustCompile(`"Role\w+"`).FindString(text(code["Mailer"].Properties["Role"])), `"`)
		if p := text(code[role].Properties); !strings.Contains(p, `identity/me@example.org"`) {
			t.Error(p)
		}
	})
	t.Run("settings reach every function", func(t *testing.T) {
		for id, r := range of(code, "AWS::Lambda::Function") {
			if !strings.Contains(text(r.Properties), `"LANYARD_KEYS_ROTATE":"168h"`) {
				t.Error(id)
			}
		}
	})
}

func TestAStageThatWouldNotProtectIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Stage){
		"every origin":                 func(s *Stage) { s.CORSOrigins = []string{"*"} },
		"a part of an origin":          func(s *Stage) { s.CORSOrigins = []string{"https://*.example.com"} },
		"an origin with a path":        func(s *Stage) { s.CORSOrigins = []string{"https://app.example.com/"} },
		"plain http":                   func(s *Stage) { s.PublicURL = "http://auth.example.com" },
		"a gateway that is shut":       func(s *Stage) { s.RequestsPerSecond = 0 },
		"logs without an end":          func(s *Stage) { s.RetentionDays = 0 },
		"a domain without certificate": func(s *Stage) { s.Domain = "auth.example.com" },
	} {
		s, err := stage("prod")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.check(); err != nil {
			t.Fatalf("as it is: %v", err)
		}
		if change(&s); s.check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestDocumentedQueriesOfTheGatewaysLogAskForItsFields is what package metrics
// does for the functions' log.
func TestDocumentedQueriesOfTheGatewaysLogAskForItsFields(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(guide), "The gateway's own log")
	block := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(after)
	if !found || block == nil {
		t.Fatal("the guide has no queries of the gateway's log")
	}
	var line map[string]string
	if err := json.Unmarshal([]byte(accessLog()), &line); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for query := range strings.Lines(block[1]) {
		if strings.HasPrefix(query, "#") {
			continue
		}
		for _, word := range regexp.MustCompile(`[A-Za-z]\w*`).FindAllString(regexp.MustCompile("\"[^\"]*\"").ReplaceAllString(query, ""), -1) {
			if _, ok := line[word]; ok {
				asked++
			} else if !slices.Contains(strings.Fields("filter stats count by sort desc limit"), word) {
				t.Errorf("%q asks for %s, which no line has", query, word)
			}
		}
	}
	if asked < 5 {
		t.Errorf("the queries ask for %d fields", asked)
	}
}

// TestDocumentedAlarmsAreThoseThatAreMade holds the guide's table to the code.
func TestDocumentedAlarmsAreThoseThatAreMade(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	_, table, _ := strings.Cut(string(guide), "| alarm |")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) > 2 {
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				told = append(told, m[1])
			}
		}
	}
	v, err := readInventory("../api/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, a := range (&apiStack{stage: Stage{Name: "prod"}}).alarms(v, "api", "queue") {
		made = append(made, a.id)
	}
	slices.Sort(told)
	slices.Sort(made)
	if !slices.Equal(told, made) {
		t.Errorf("the guide tells of %v, made are %v", told, made)
	}
	hashing := 0
	for _, op := range v.Operations {
		if op.Hashes {
			hashing++
		}
	}
	if hashing != 9 || !strings.Contains(string(guide), "each of the nine functions that hash passwords") {
		t.Errorf("%d functions hash passwords; the guide says nine", hashing)
	}
}
