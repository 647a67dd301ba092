package app_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/testutil"
	"github.com/posthorn/posthorn/models"
)

// poisoner makes payloads that a decoder and encoder would change, or break on. The same seed makes the same ones.
type poisoner struct {
	r   *rand.Rand
	out strings.Builder
}

// corpus is n payloads, those that must always be there first. One in bigEach of the random ones is up to 1 MiB.
func corpus(t *testing.T, n, bigEach int) []string {
	t.Helper()
	p := &poisoner{r: rand.New(rand.NewPCG(testutil.Seed(t), 0))}
	all := fixedPoison()
	for len(all) < n {
		all = append(all, p.payload(len(all), bigEach))
	}
	for _, payload := range all {
		require.NoErrorf(t, models.CheckPayload([]byte(payload)), "%.200q", payload)
	}
	return all
}

// fixedPoison are the cases that have broken somebody.
func fixedPoison() []string {
	all := []string{
		`{ "z" : 1,"a"	:2 ,
"m": [ 1 , 2 ] }`, `{"html":"<b>&amp;</b>"}`, `{"amount":100.50,"rate":1.10}`, `{"n":12345678901234567890,"m":9007199254740993}`,
		`[1E400,-1e-4000,1e+2,-0,-0.0,0E0,0.1e1]`, `{"a":1,"a":2,"\u0061":3}`, `"\u0000"`, `{"\u0000":"\u0000"}`, `"\ud800"`, `"\udc00\ud800"`,
		`"\ud83d\ude00"`, `"😀"`, `"\uD83D\uDE00"`, `"\/\"\\\b\f\n\r\t"`, `"/"`, "\"\u2028\u2029\ufeff\u00ad\u200b\u202e\"", "\"\x7f\u0080\u009f\"",
		"\"\ufffe\uffff\U0001fffe\U0010ffff\ue000\"", "\"e\u0301 é ﬁ İ ß\"", `{"Ηλεκτρονικές":"Υπηρεσίες"}`, `""`, `"x"`, `1`, `null`, `true`, `false`, `[]`,
		`{}`, `[ ]`, "{\r\n}", `{"":""}`, `{"__proto__":{"constructor":1}}`, `"NaN"`, `"}]{["`, `{"s":"}]{[\"}","t":"\\"}`, `"\u003c\u003e\u0026"`,
		`"'; DROP TABLE events; --"`, `"%s%n%00\\x00"`, `"${jndi:ldap://127.0.0.1/a}"`, `"{{7*7}}"`,
		strings.Repeat("[", models.MaxPayloadNesting) + strings.Repeat("]", models.MaxPayloadNesting),
		strings.Repeat(`{"a":`, models.MaxPayloadNesting) + "1" + strings.Repeat("}", models.MaxPayloadNesting),
		"[" + strings.Repeat("[],", 2000) + "[]]", strings.Repeat("9", 5000), "0." + strings.Repeat("0", 5000) + "1",
		`{` + strings.Repeat(`"k":null,`, 2000) + `"k":0}`,
	}
	for _, size := range []int{255, 256, 4095, 4096, 4097, 8192, 16384, 32767, 32768, 65535, 65536, 65537, 1<<20 - 1, models.MaxPayloadBytes} {
		all = append(all, `"`+strings.Repeat("s", size-2)+`"`)
	}
	return all
}

func (p *poisoner) payload(number, bigEach int) string {
	p.out.Reset()
	if number%bigEach == 0 {
		p.big()
		return p.out.String()
	}
	p.value(1 + p.r.IntN(6))
	return p.out.String()
}

// big is a list of values that ends before 1 MiB, padded to a size round a buffer's.
func (p *poisoner) big() {
	sizes := []int{1 << 12, 1 << 13, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 20}
	size := sizes[p.r.IntN(len(sizes))] - p.r.IntN(3)
	p.out.WriteString("[")
	for p.out.Len() < size/4 {
		p.value(3)
		p.out.WriteString(",")
	}
	p.out.WriteString(`"`)
	p.out.WriteString(strings.Repeat("p", max(0, size-p.out.Len()-2)))
	p.out.WriteString(`"]`)
}

func (p *poisoner) pick(from ...string) { p.out.WriteString(from[p.r.IntN(len(from))]) }

// blank is white space as JSON allows it, mostly none.
func (p *poisoner) blank() { p.pick("", "", "", "", " ", "\t", "\n", "\r\n", "  ", " \t ") }

func (p *poisoner) value(depth int) {
	kind := p.r.IntN(6)
	if depth == 0 {
		kind = p.r.IntN(3)
	}
	switch kind {
	case 0:
		p.text()
	case 1:
		p.number()
	case 2:
		p.pick("null", "true", "false")
	case 3:
		p.list(depth)
	default:
		p.object(depth)
	}
}

func (p *poisoner) list(depth int) {
	p.out.WriteString("[")
	p.blank()
	for i := range p.r.IntN(5) {
		if i > 0 {
			p.out.WriteString(",")
			p.blank()
		}
		p.value(depth - 1)
		p.blank()
	}
	p.out.WriteString("]")
}

func (p *poisoner) object(depth int) {
	p.out.WriteString("{")
	p.blank()
	for i := range p.r.IntN(5) {
		if i > 0 {
			p.out.WriteString(",")
			p.blank()
		}
		if p.r.IntN(3) == 0 {
			p.pick(`"a"`, `"id"`, `"\u0061"`, `""`, `"A"`) // likely to be there twice
		} else {
			p.text()
		}
		p.blank()
		p.out.WriteString(":")
		p.blank()
		p.value(depth - 1)
		p.blank()
	}
	p.out.WriteString("}")
}

func (p *poisoner) number() {
	switch p.r.IntN(5) {
	case 0:
		p.pick("-0", "0.0", "1.10", "100.50", "1E400", "-1e-400", "1e+5", "12345678901234567890", "9007199254740993", "0.1e1", "1E-7", "-0.0e-0")
	case 1:
		_, _ = fmt.Fprintf(&p.out, "%d", p.r.Int64()-p.r.Int64())
	case 2:
		_, _ = fmt.Fprintf(&p.out, "%d.%0*d", p.r.IntN(1000), 1+p.r.IntN(20), p.r.IntN(1000))
	case 3:
		_, _ = fmt.Fprintf(&p.out, "%d%c%+d", p.r.IntN(100), "eE"[p.r.IntN(2)], p.r.IntN(2000)-1000)
	default:
		p.out.WriteString("1")
		for range p.r.IntN(60) {
			p.out.WriteByte(byte('0' + p.r.IntN(10)))
		}
	}
}

func (p *poisoner) text() {
	p.out.WriteString(`"`)
	for range p.r.IntN(12) {
		switch p.r.IntN(6) {
		case 0:
			p.pick("<", "&", ">", "'", "/", "%", "\x7f", "=", "</script>", "<!--", "$", "`", "{", "]", ",", ":")
		case 1:
			p.pick(`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`)
		case 2:
			_, _ = fmt.Fprintf(&p.out, []string{`\u%04x`, `\u%04X`}[p.r.IntN(2)], p.r.IntN(1<<16)) // surrogates, alone and in pairs, too
		case 3:
			p.out.WriteRune(p.rune())
		default:
			p.out.WriteByte(byte('a' + p.r.IntN(26)))
		}
	}
	p.out.WriteString(`"`)
}

// rune is one of any plane that may stand in JSON as itself.
func (p *poisoner) rune() rune {
	for {
		c := rune(p.r.IntN(0x110000))
		if p.r.IntN(2) == 0 {
			c %= 0x3000
		}
		if c >= 0x20 && c != '"' && c != '\\' && (c < 0xd800 || c > 0xdfff) {
			return c
		}
	}
}
