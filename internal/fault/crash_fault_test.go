//go:build fault

package fault_test

import "testing"

func TestF05_KilledAnywhereBetweenDispatchAndSettlement(t *testing.T) {
	for _, failpoint := range []string{
		"dispatch-taken", "dispatch-started:2", "claim-stored:5", "claim-committed:5", "settle-stored:5", "settle-committed:5",
	} {
		for _, ordering := range []string{"none", "fifo"} {
			t.Run(failpoint+"/"+ordering, func(t *testing.T) {
				if failpoint == "dispatch-taken" { // the embedded mode hands events over in memory
					crash(t, cluster(t), failpoint, ordering)
					return
				}
				onEach(t, func(t *testing.T, d *deployment) { crash(t, d, failpoint, ordering) })
			})
		}
	}
}
