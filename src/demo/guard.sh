# Runs Dovecot and outlives nobody: whatever becomes of the program that started this, at the end of
# its pipe (standard input) Dovecot is stopped. Arguments: dovecot, its configuration, the folder of
# its sockets. The word "keep" before the end of the pipe keeps that folder.
setsid "$1" -F -c "$2" </dev/null &
group=$!
word=
read -r word
kill -s TERM -- "-$group" 2>/dev/null
# Dovecot waits up to a second for its idle clients; nothing of theirs is worth the wait.
n=0
while [ "$n" -lt 10 ] && kill -s 0 -- "-$group" 2>/dev/null; do
    sleep 0.02
    n=$((n + 1))
done
kill -s KILL -- "-$group" 2>/dev/null
wait "$group" 2>/dev/null
[ "$word" = keep ] || rm -rf -- "$3"
