// Package egress is the one HTTP client that Posthorn uses to call addresses
// chosen by other people: deliveries, verification handshakes, test sends.
//
// The caller's URL is hostile, and so is the server behind it. Five layers:
//
//  1. CheckURL judges the text of a URL when it is stored (write time).
//  2. Do judges the same text again, because the policy may have changed since.
//  3. The dialer resolves the name itself and refuses it if any answer is
//     forbidden, so a name cannot mix a public and a private address.
//  4. Control judges the address the socket is about to use, so nothing between
//     the check and the connect can swap it (DNS rebinding).
//  5. What comes back is bounded in time, header bytes and body bytes, is never
//     decompressed, and a redirect is an answer, never an instruction.
//
// The address ranges come from the IANA special-purpose registries through
// code.dny.dev/ssrf, with the additions named at newGuard.
//
// With Config.ProxyURL set, every connection goes to the operator's egress
// proxy, which resolves the names: layers 3 and 4 are then the proxy's work
// (Smokescreen, for example). Layers 1, 2 and 5 stay here.
package egress
