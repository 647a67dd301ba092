//go:build fault

package app_test

// bulkSize and bulkRate are those of F50: 10,000, at a rate that two cores keep up with.
const bulkSize, bulkRate = 10_000, 200
