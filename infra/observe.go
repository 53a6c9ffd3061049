package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one thing an operator is woken for.
type alarm struct {
	id, about        string
	namespace, name  string
	dimensions       map[string]string
	statistic        string // or a percentile
	threshold        float64
	periods, minutes float64
}

func (st *apiStack) alarms(v *inventory, api, queue string) []alarm {
	own := map[string]string{"stage": st.stage.Name}
	of := func(operation string) map[string]string {
		return map[string]string{"stage": st.stage.Name, "operation": operation}
	}
	return []alarm{
		{"ServerErrors", "Requests fail (5xx)", v.Namespace, "ServerErrors", own, "Sum", 5, 1, 5},
		{"GatewayErrors", "The gateway answers 5xx, the authorizer's failures included", "AWS/ApiGateway", "5xx", map[string]string{"ApiId": api}, "Sum", 5, 1, 5},
		{"Throttled", "Clients reach abuse limits: an attack, or a limit too low", v.Namespace, "Throttled", own, "Sum", 500, 3, 5},
		{"Lockouts", "Sign-ins are locked out", v.Namespace, "Throttled", of("auth-login"), "Sum", 100, 1, 15},
		{"RefreshRefused", "Refresh tokens are refused: reuse of stolen ones, or a lost key ring", v.Namespace, "Refused", of("auth-refresh"), "Sum", 50, 1, 15},
		{"Slow", "The 99th percentile of latency is above two seconds", v.Namespace, "Latency", own, "p99", 2000, 3, 5},
		{"DeadLetters", "Mails or tasks could not be handled", "AWS/SQS", "ApproximateNumberOfMessagesVisible", map[string]string{"QueueName": queue}, "Maximum", 1, 1, 5},
		{"FunctionThrottles", "Lambda refuses invocations: the concurrency is used up", "AWS/Lambda", "Throttles", nil, "Sum", 10, 1, 5},
		{"RotatorErrors", "The signing key could not be rotated", "AWS/Lambda", "Errors", map[string]string{"FunctionName": "lanyard-" + st.stage.Name + "-key-rotator"}, "Sum", 1, 1, 60},
	}
}

// observe makes the alarms and the dashboard.
func (st *apiStack) observe(v *inventory, api awsapigatewayv2.CfnApi, letters awssqs.CfnQueue) {
	var widgets []any
	for i, a := range st.alarms(v, *api.Ref(), *letters.AttrQueueName()) {
		props := &awscloudwatch.CfnAlarmProps{
			AlarmName: str("lanyard-" + st.stage.Name + "-" + a.id), AlarmDescription: str(a.about), Namespace: str(a.namespace), MetricName: str(a.name),
			Threshold: jsii.Number(a.threshold), ComparisonOperator: str("GreaterThanOrEqualToThreshold"), TreatMissingData: str("notBreaching"),
			Period: jsii.Number(60 * a.minutes), EvaluationPeriods: jsii.Number(a.periods),
		}
		if a.statistic[0] == 'p' {
			props.ExtendedStatistic = str(a.statistic)
		} else {
			props.Statistic = str(a.statistic)
		}
		metric := []any{a.namespace, a.name}
		var dims []any
		for _, name := range []string{"stage", "operation", "ApiId", "QueueName", "FunctionName"} {
			if value, ok := a.dimensions[name]; ok {
				dims = append(dims, &awscloudwatch.CfnAlarm_DimensionProperty{Name: str(name), Value: str(value)})
				metric = append(metric, name, value)
			}
		}
		if dims != nil {
			props.Dimensions = &dims
		}
		if st.stage.AlarmTopic != "" {
			props.AlarmActions = list(st.stage.AlarmTopic)
		}
		awscloudwatch.NewCfnAlarm(st.stack, str(a.id+"Alarm"), props)
		widgets = append(widgets, map[string]any{
			"type": "metric", "x": i % 3 * 8, "y": i / 3 * 6, "width": 8, "height": 6,
			"properties": map[string]any{"title": a.about, "region": *st.stack.Region(), "stat": a.statistic, "period": 300, "metrics": []any{metric}},
		})
	}
	body, err := json.Marshal(map[string]any{"widgets": widgets})
	if err != nil {
		panic(fmt.Sprintf("encode dashboard: %v", err)) // strings and numbers only
	}
	awscloudwatch.NewCfnDashboard(st.stack, str("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: str("lanyard-" + st.stage.Name), DashboardBody: str(string(body)),
	})
}
