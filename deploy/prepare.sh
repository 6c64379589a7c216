#!/bin/sh
# Make what compose.yaml needs beside it: secrets that nobody has chosen, folders, and .env. What is there already stays.
#
#     sh deploy/prepare.sh
#
# Secrets and folders are for the owner alone (0600, 0700). To change a secret, see docs/deploy.md.
set -eu
umask 077
cd "$(dirname "$0")"
if [ "$(id -u)" = 0 ]; then
    echo "error: this is root; run it as the account that the containers shall have, such as one made for it" >&2
    exit 2
fi

made=""
mkdir -p secrets data/database data/store data/proxy data/scratch data/backups data/certificates
for name in database_superuser_password database_password store_key store_secret admin_password session_key; do
    if [ ! -s "secrets/$name" ]; then
        # From the kernel's randomness; letters and digits alone, which no program makes anything of
        head -c 96 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c 40 >"secrets/$name.new"
        mv "secrets/$name.new" "secrets/$name"
        made="$made $name"
    fi
done
chmod 700 secrets
chmod 600 secrets/*
if [ ! -e .env ]; then
    sed -e "s/^MLFLOW_UID=.*/MLFLOW_UID=$(id -u)/" -e "s/^MLFLOW_GID=.*/MLFLOW_GID=$(id -g)/" .env.example >.env
    made="$made .env"
fi
echo "made:${made:- nothing, all is there}"
