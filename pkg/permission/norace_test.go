//go:build !race

package permission_test

const raceDetector = false
