//go:build !fault

package app_test

// bulkSize and bulkRate are how many a bulk redelivery of the plain suite is for, and how many of them a second.
const bulkSize, bulkRate = 60, 40
