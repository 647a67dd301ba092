package posthorn_test

import (
	"crypto/rand"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// FuzzVerify: whatever a stranger sends who does not know the secret, it is not genuine, and nothing panics.
func FuzzVerify(f *testing.F) {
	f.Add("id", "1795288620", "v1,AAAA v1a,AAAA v1 , v2,", "v1=AA,v1=,", []byte("{}"))
	f.Add("", "-9223372036854775808", "", "", []byte(nil))
	f.Add("a.b", "９", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "v1="+string(make([]byte, 64)), []byte("\xff"))
	f.Fuzz(func(t *testing.T, id, timestamp, standard, hex string, body []byte) {
		secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))
		public := make([]byte, 32)
		_, _ = rand.Read(public)
		header := headers("Webhook-Id", id, "Webhook-Timestamp", timestamp, "Webhook-Signature", standard, "X-Hex", hex)
		for _, v := range []posthorn.Verifier{
			{Scheme: posthorn.SchemeStandard, Secrets: []string{secret}, Tolerance: 1 << 62},
			{Scheme: posthorn.SchemeStandard, PublicKeys: []string{"whpk_" + base64.StdEncoding.EncodeToString(public)}, Tolerance: 1 << 62},
			{Scheme: posthorn.SchemeHMACHex, Header: "X-Hex", Secrets: []string{secret}, Tolerance: 1 << 62},
			{Headers: map[string]string{"X-Hex": secret}, Tolerance: 1 << 62},
		} {
			require.Error(t, v.Verify(header, body))
		}
	})
}
