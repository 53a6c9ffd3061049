package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one thing an operator is woken for.
type alarm struct {
	id, about        string
	metrics          []metric // their sum, where there are several
	statistic        string   // or a percentile
	threshold        float64
	periods, minutes float64
}

// metric is one series of CloudWatch's.
type metric struct {
	namespace, name string
	dimensions      [][2]string
}

// mostMetrics is how many one alarm may add up.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
const mostMetrics = 10

func (st *apiStack) alarms(v *inventory, api, queue string) []alarm {
	own := func(name string) []metric {
		return []metric{{v.Namespace, name, [][2]string{{"stage", st.stage.Name}}}}
	}
	lambda := func(name string, functions ...string) (out []metric) {
		for _, f := range functions {
			out = append(out, metric{"AWS/Lambda", name, [][2]string{{"FunctionName", "lanyard-" + st.stage.Name + "-" + f}}})
		}
		return out
	}
	one := func(namespace, name, dimension, value string) []metric {
		return []metric{{namespace, name, [][2]string{{dimension, value}}}}
	}
	var hashing []string
	for _, op := range v.Operations {
		if op.Hashes {
			hashing = append(hashing, op.ID)
		}
	}
	out := []alarm{
		{"ServerErrors", "Requests fail (5xx)", own("ServerErrors"), "Sum", 5, 1, 5},
		{"GatewayErrors", "The gateway answers 5xx, the authorizer's failures included", one("AWS/ApiGateway", "5xx", "ApiId", api), "Sum", 5, 1, 5},
		{"Slow", "The 99th percentile of latency is above two seconds", own("Latency"), "p99", 2000, 3, 5},
		{"Throttled", "Clients reach abuse limits: an attack, or a limit too low", own("Throttled"), "Sum", 500, 3, 5},
		{"Lockouts", "Many accounts are locked out: passwords or codes are being guessed", own("Lockouts"), "Sum", 50, 1, 15},
		{"RefreshReuse", "Refresh tokens are used again: copied ones, or a client that refreshes twice", own("RefreshReuse"), "Sum", 5, 1, 15},
		{"DeadLetters", "Mails or tasks could not be handled", one("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue), "Maximum", 1, 1, 5},
		{"MailLate", "Mails and tasks wait: the mailer does not keep up, or fails (milliseconds)", lambda("IteratorAge", "mailer"), "Maximum", 15 * 60 * 1000, 1, 5},
		{"RotatorErrors", "The signing key could not be rotated", lambda("Errors", "key-rotator"), "Sum", 1, 1, 60},
		{"Concurrency", "Lambda refuses invocations: the account's concurrency is used up", []metric{{"AWS/Lambda", "Throttles", nil}}, "Sum", 10, 1, 5},
	}
	n := 0
	for some := range slices.Chunk(hashing, mostMetrics) {
		n++
		out = append(out, alarm{fmt.Sprintf("Hashing%d", n), "Functions that hash passwords are at their reserved concurrency", lambda("Throttles", some...), "Sum", 10, 1, 5})
	}
	return out
}

// observe makes the alarms and the dashboard.
func (st *apiStack) observe(v *inventory, api awsapigatewayv2.CfnApi, letters awssqs.CfnQueue) {
	var widgets []any
	widget := func(title string, properties map[string]any) {
		properties["title"], properties["region"], properties["period"] = title, *st.stack.Region(), 300
		i := len(widgets)
		widgets = append(widgets, map[string]any{"type": "metric", "x": i % 3 * 8, "y": i / 3 * 6, "width": 8, "height": 6, "properties": properties})
	}
	for _, a := range st.alarms(v, *api.Ref(), *letters.AttrQueueName()) {
		st.alarm(a)
		var series []any
		for _, m := range a.metrics {
			one := []any{m.namespace, m.name}
			for _, d := range m.dimensions {
				one = append(one, d[0], d[1])
			}
			series = append(series, one)
		}
		widget(a.about, map[string]any{
			"stat": a.statistic, "metrics": series,
			"annotations": map[string]any{"horizontal": []any{map[string]any{"label": "alarm", "value": a.threshold}}},
		})
	}
	every := func(statistic string) []any {
		return []any{[]any{map[string]any{"expression": fmt.Sprintf(
			`SEARCH('{%s,stage,operation} MetricName="Latency" stage="%s"', '%s', 300)`, v.Namespace, st.stage.Name, statistic), "label": ""}}}
	}
	widget("Requests by operation", map[string]any{"metrics": every("SampleCount")})
	widget("99th percentile of latency by operation (milliseconds)", map[string]any{"metrics": every("p99")})
	body, err := json.Marshal(map[string]any{"widgets": widgets})
	if err != nil {
		panic(fmt.Sprintf("encode dashboard: %v", err)) // strings and numbers only
	}
	awscloudwatch.NewCfnDashboard(st.stack, str("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: str("lanyard-" + st.stage.Name), DashboardBody: str(string(body)),
	})
}

// alarm makes one alarm. No data means that nobody called: all is well.
func (st *apiStack) alarm(a alarm) {
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName: str("lanyard-" + st.stage.Name + "-" + a.id), AlarmDescription: str(a.about),
		Threshold: jsii.Number(a.threshold), ComparisonOperator: str("GreaterThanOrEqualToThreshold"), TreatMissingData: str("notBreaching"),
		EvaluationPeriods: jsii.Number(a.periods),
	}
	if st.stage.AlarmTopic != "" {
		props.AlarmActions, props.OkActions = list(st.stage.AlarmTopic), list(st.stage.AlarmTopic)
	}
	dimensions := func(m metric) *[]any {
		var out []any
		for _, d := range m.dimensions {
			out = append(out, &awscloudwatch.CfnAlarm_DimensionProperty{Name: str(d[0]), Value: str(d[1])})
		}
		if out == nil {
			return nil
		}
		return &out
	}
	if len(a.metrics) == 1 {
		m := a.metrics[0]
		props.Namespace, props.MetricName, props.Period = str(m.namespace), str(m.name), jsii.Number(60*a.minutes)
		if d := dimensions(m); d != nil {
			props.Dimensions = d
		}
		if a.statistic[0] == 'p' {
			// One slow request of the night's three is no percentile.
			props.ExtendedStatistic, props.EvaluateLowSampleCountPercentile = str(a.statistic), str("ignore")
		} else {
			props.Statistic = str(a.statistic)
		}
	} else {
		sum, parts := []any{}, []string{}
		for i, m := range a.metrics {
			id := fmt.Sprintf("m%d", i)
			// A function that was not called has no data, and would make the sum none.
			parts = append(parts, "FILL("+id+",0)")
			sum = append(sum, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: str(id), ReturnData: jsii.Bool(false), MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Stat: str(a.statistic), Period: jsii.Number(60 * a.minutes),
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{Namespace: str(m.namespace), MetricName: str(m.name), Dimensions: dimensions(m)},
			}})
		}
		sum = append(sum, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: str("sum"), Expression: str(strings.Join(parts, "+")), Label: str(a.about), ReturnData: jsii.Bool(true)})
		props.Metrics = &sum
	}
	awscloudwatch.NewCfnAlarm(st.stack, str(a.id+"Alarm"), props)
}
