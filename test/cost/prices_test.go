package cost

// price is what something costs and who says so.
type price struct {
	what    string
	dollars float64
	per     string
	source  string
}

// Prices are those of us-east-1 as published: a deployment elsewhere, with
// reserved capacity or within a free allowance, pays something else. Free
// allowances are left out. The pages were read in November 2026 as a store of
// public pages had them, which is the date that is given.
var (
	priceWrite   = price{"DynamoDB on demand, writing", 0.625, "million write request units", "airbyte.com/data-engineering-resources/dynamodb-pricing, 21 July 2025, after the price cut of November 2024"}
	priceRead    = price{"DynamoDB on demand, reading", 0.125, "million read request units", "the same"}
	priceStorage = price{"DynamoDB storage", 0.25, "GB and month, beyond 25 GB that are free", "aws.amazon.com/dynamodb/pricing/on-demand, not read again for this table"}
	priceLambda  = price{"Lambda, requests", 0.20, "million requests", "docs/lambdas-md/lambda-13-cost.md of git.mcrn.ar/mariano/lambda_local_runner, 11 May 2026"}
	priceCompute = price{"Lambda on arm64, time", 0.0000133334, "GB-second", "the same"}
	priceAPI     = price{"API Gateway HTTP API", 1.00, "million requests", "appropri8-astro.pages.dev/tutorials/2025/12/02/deploying-simple-api-aws, 2 December 2025"}
	priceLogs    = price{"CloudWatch Logs, ingestion", 0.50, "GB", "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards, 13 June 2026"}
	priceMetric  = price{"CloudWatch metrics", 0.30, "metric and month, counted in hours in which it is written", "signoz.io/guides/cloudwatch-pricing, 15 February 2026"}
	priceAlarm   = price{"CloudWatch alarms", 0.10, "alarm and month", "aws.amazon.com/cloudwatch/pricing, not read again for this table"}
	priceTrace   = price{"X-Ray traces", 5.00, "million traces recorded", "aws.amazon.com/xray/pricing, not read again for this table"}
	priceMail    = price{"SES", 0.10, "thousand mails", "aws.amazon.com/ses/pricing, not read again for this table"}
)

var prices = []price{priceWrite, priceRead, priceStorage, priceLambda, priceCompute, priceAPI, priceLogs, priceMetric, priceAlarm, priceTrace, priceMail}

// What cannot be measured without an account is assumed, and said to be.
const (
	roundTrip = 5.0   // ms that a request to DynamoDB takes inside a region
	overhead  = 2.0   // ms of the function itself
	hashTime  = 250.0 // ms of one password hash on 1,769 MB, which is one vCPU
	memory    = 256.0 // MB of a function
	hashing   = 1769.0
	sampled   = 0.05 // of requests are traced: X-Ray's default beyond one a second
	platform  = 300  // bytes that Lambda itself logs for an invocation
)

// service is a hosted service and its published price for so many monthly users.
type service struct {
	name   string
	month  string
	how    string
	source string
}

var services = []service{
	{"Amazon Cognito, Lite", "$495", "10,000 users free, then $0.0055 each", "the free allowance: c3x.dev/resources/aws/aws_cognito_user_pool; the rate: aws.amazon.com/cognito/pricing since 22 November 2024, not read again for this table"},
	{"Amazon Cognito, Essentials", "$1,350", "10,000 users free, then $0.015 each", "the same"},
	{"Auth0", "$2,128", "7,500 users free, then $0.023 each, as a third party reckons; its own page asks large customers to call", "bytepane.com/faq/auth-service-comparison-2026-auth0-vs-clerk-vs-supabase-vs-firebase-vs-workos-pricing-features, 2026"},
	{"Clerk, Pro", "$1,025", "$25, 50,000 retained users included, then $0.02 each", "clerk.com/articles/clerk-pricing-explained, figures of June 2026"},
	{"WorkOS AuthKit", "$0", "one million users free, then $2,500 for each million; single sign-on $125 a connection", "the plans of workos.com/pricing kept at github.com/api-evangelist/workos, 22 May 2026"},
}
