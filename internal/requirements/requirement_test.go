package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDocumentIsRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/requirements.md")
	require.NoError(t, err)
	list, err := readRequirements(string(text))
	require.NoError(t, err)
	of := map[string]int{}
	for _, r := range list {
		of[r.id[:3]]++
		of[r.strength]++
	}
	require.Equal(t, map[string]int{
		"ALV": 27, "BRI": 24, "ARI": 18, "THR": 25, "VIV": 36, "X": 110, "I": 15, "C": 1, "N": 4,
	}, of)
	require.Equal(t, requirement{
		"VIV-36", "I", "A message remembers the URL that it was sent to.",
	}, list[len(list)-1])
}

func TestAnUnclearDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"":                                     "no requirement",
		"| id | strength | text |":             "no requirement",
		"\n| ALV-0 | X | a |":                  `line 2: "ALV-0" is not an id`,
		"| ALV-1 | Y | a |":                    "line 1: the strength of ALV-1 is X, I, C or N",
		"| ALV-1 |  | a |":                     "line 1: the strength of ALV-1 is X, I, C or N",
		"| ALV-1 | X |  |":                     "line 1: ALV-1 says nothing",
		"| ALV-1 | X | a |\n| ALV-1 | X | b |": "line 2: ALV-1 is listed twice",
	} {
		_, err := readRequirements(document)
		require.ErrorContains(t, err, want, document)
	}
}

func TestIDsOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"TestVIV12_List":                {"VIV-12"},
		"TestVIV4_VIV5_Samples":         {"VIV-4", "VIV-5"},
		"TestVIV4_5_6_Samples":          {"VIV-4", "VIV-5", "VIV-6"},
		"TestALV20_BRI18_19_THR16_Rule": {"ALV-20", "BRI-18", "BRI-19", "THR-16"},
		"TestALV20_20_Twice":            {"ALV-20"},
		"TestALV20":                     {"ALV-20"},
		"TestALV20_20times_ALV21":       {"ALV-20"},
		"TestALV0_Zero":                 nil,
		"TestALV20Is200":                nil,
		"TestSomething_ALV20":           nil,
		"Test_1":                        nil,
		"Test":                          nil,
		"ALV20_Helper":                  nil,
		"BenchmarkALV20_X":              nil,
	} {
		require.Equal(t, want, idsOf(name), name)
	}
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	all := []requirement{{id: "ALV-1"}, {id: "ALV-11"}, {id: "VIV-1"}, {id: "BRI-2"}}
	for only, want := range map[string][]string{
		"": {"ALV-1", "ALV-11", "VIV-1", "BRI-2"}, "ALV": {"ALV-1", "ALV-11"}, "ALV-1": {"ALV-1"},
		"bri, viv-1": {"VIV-1", "BRI-2"}, "ALV,ALV-1": {"ALV-1", "ALV-11"},
	} {
		kept, err := narrow(all, only)
		require.NoError(t, err)
		var ids []string
		for _, r := range kept {
			ids = append(ids, r.id)
		}
		require.Equal(t, want, ids, only)
	}
	for _, only := range []string{"XYZ", "ALV-2", "AL", "ALV,", ","} {
		_, err := narrow(all, only)
		require.Error(t, err, only)
	}
}

func TestTestsAreFoundInTheirSource(t *testing.T) {
	t.Parallel()
	found, err := testsIn("example.com/p", "a_test.go", []byte(`package p
		// TestVIV1_Comment is none.
		func TestVIV1_VIV2_Real(t *testing.T) {}
		func (s *suite) TestVIV3_Method() {}
		func TestOther(t *testing.T) {}
		const s = "func TestVIV4_Text(t *testing.T) {}"`))
	require.NoError(t, err)
	require.Equal(t, []test{{"example.com/p", "TestVIV1_VIV2_Real", []string{"VIV-1", "VIV-2"}}}, found)
	_, err = testsIn("p", "a_test.go", []byte("no Go"))
	require.Error(t, err)

	require.NoError(t, checkKnown([]requirement{{id: "VIV-1"}, {id: "VIV-2"}}, found))
	require.ErrorContains(t, checkKnown([]requirement{{id: "VIV-1"}}, found), "TestVIV1_VIV2_Real in example.com/p names VIV-2")
	require.Equal(t, found, proving(found, []requirement{{id: "VIV-2"}}))
	require.Empty(t, proving(found, []requirement{{id: "VIV-3"}}))
}
