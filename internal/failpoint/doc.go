// Package failpoint lets a fault test end a process at an exact place: inside a transaction, or between a commit and
// what follows from it. Only a build with the tag failpoint has them; in every other Hit is empty and costs nothing.
package failpoint
