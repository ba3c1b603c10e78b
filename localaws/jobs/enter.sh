# Runs inside new namespaces: gives the process its own /opt/ml, then runs it. See sandbox.py.
#
# Usage: enter.sh ML_ROOT HOSTS CWD COMMAND...   (HOSTS: names for 127.0.0.1, by blanks, or empty)
#
# The old children of /opt are reached through the working directory (mount -c takes a path as it stands), since the
# tmpfs covers them. This shell stays as the first process of the namespace: a program that is process 1
# itself would not die of SIGTERM.
set -e
ml=$1 hosts=$2 cwd=$3
shift 3
cd /opt
mount -t tmpfs -o mode=755 tmpfs /opt
for entry in * .[!.]*; do
  if [ "$entry" = ml ]; then
    continue
  elif [ -L "$entry" ]; then
    cp -P "$entry" "/opt/$entry"
  elif [ -d "$entry" ]; then
    mkdir "/opt/$entry"
    mount -c --rbind "./$entry" "/opt/$entry"
  elif [ -e "$entry" ]; then
    : > "/opt/$entry"
    mount -c --bind "./$entry" "/opt/$entry"
  fi
done
mkdir /opt/ml
mount --bind "$ml" /opt/ml
if [ -n "$hosts" ]; then
  { cat /etc/hosts; echo "127.0.0.1 $hosts"; } > /opt/.hosts
  mount --bind /opt/.hosts /etc/hosts
fi
cd "$cwd"
set +e
# Only from here on does SIGTERM end the process, and a byte to standard input says so to who may have it as a pipe.
(
  echo >&0
  exec "$@" < /dev/null
)
exit $?
