# Runs one Postgres on an existing data folder for as long as its standard input stays open.
#
#   sh server.sh BINDIR DIR PORT
#
# PORT is the one of 127.0.0.1 to listen on; 0 = the socket in DIR alone.
#
# As in cluster.sh the pipe closes when the test process ends, however that happens; then the files go too. The word
# "keep" before that stops the server and leaves them: it is to be started again.
set -eu
bin=$1
dir=$2
port=$3

# A server that is reached by TCP stands for a whole deployment, whose processes have pools of connections of their own.
if [ "$port" = 0 ]; then
  set -- -c listen_addresses='' -c max_connections=200
else
  set -- -c listen_addresses=127.0.0.1 -c port="$port" -c max_connections=1000
fi

# Durable, as in production: this one is killed, and must have what it said it has.
"$bin/postgres" -D "$dir/data" -c unix_socket_directories="$dir" "$@" &
postgres=$!
echo "$postgres" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

word=
read -r word || :
kill -QUIT "$postgres" 2>/dev/null || :
wait "$postgres" || :
[ "$word" = keep ] || rm -rf "$dir"
