#!/bin/sh
# Makes the secrets of compose.yaml in the folder secrets, once: what stands there is never touched.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

if [ -e secrets/headwater.toml ]; then
    echo "The secrets stand already in $(pwd)/secrets; they open what is in the volumes."
    exit 0
fi
password=$(random 16)
printf '%s' "$password" > secrets/postgres.password
random 32 > secrets/secret.key
cat > secrets/headwater.toml <<TOML
admin_token = "$(random 24)"
write_key = "$(random 16)"

[store]
url = "postgresql://headwater:$password@postgres:5432/headwater"
TOML
# The containers' users differ from yours and must read the files; the folder lets nobody else in.
chmod 0444 secrets/headwater.toml secrets/secret.key secrets/postgres.password
echo "Made in $(pwd)/secrets: headwater.toml (admin token, write key), secret.key, postgres.password. Keep a copy."
