# glasscase completion bash > /etc/bash_completion.d/glasscase
_glasscase() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="" longer names="" flags="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    longer="${path:+$path }${COMP_WORDS[i]}"
    case "$longer" in
      "init"|"serve"|"stop"|"status"|"publish"|"dataset"|"dataset add"|"call"|"list"|"list models"|"list datasets"|"list subjects"|"list grants"|"list tokens"|"search"|"show"|"lineage"|"default"|"retire"|"erase"|"edit"|"card"|"card set"|"card remove"|"take"|"receipt"|"signature"|"history"|"subject"|"subject add"|"token"|"token create"|"token rotate"|"invite"|"grant"|"revoke"|"revoke grant"|"revoke token"|"revoke subject"|"login"|"whoami"|"version"|"backup"|"restore"|"fsck"|"ledger"|"ledger renew"|"migrate"|"chain"|"chain init"|"chain show"|"anchor"|"train"|"runs"|"runs list"|"runs show"|"runs logs"|"runs verify"|"runs evidence"|"runs cancel"|"workers"|"workers add"|"workers list"|"workers remove"|"translate"|"verify"|"witness"|"witness init"|"witness serve"|"completion") path="$longer" ;;
    esac
  done
  case "$path" in
    "") names="init serve stop status publish dataset call list search show lineage default retire erase edit card take receipt signature history subject token invite grant revoke login whoami version backup restore fsck ledger migrate chain anchor train runs workers translate verify witness completion"; flags="--help --json --profile" ;;
    "init") names=""; flags="--help --data --owner --tls-self-signed --json --profile" ;;
    "serve") names=""; flags="--help --data --http --control --tls-cert --tls-key --behind-proxy --closed-log --catalog --blobs --blob-cache --uploads-expire --workers --worker-listen --runners --executor --partition --slurm-conf --kubernetes-url --kubernetes-ca --kubernetes-token --kubernetes-cert --kubernetes-key --kubernetes-namespace --kubernetes-claim --kubernetes-pull-secrets --kubernetes-runtime-class --kubernetes-object --kubernetes-account --kubernetes-gpus --jobs --registries --registry-auth --images --devices --run-slots --run-cpus --run-processes --run-memory --run-disk --run-time --runs-per-owner --config --json --profile" ;;
    "stop") names=""; flags="--help --data --json --profile" ;;
    "status") names=""; flags="--help --json --profile" ;;
    "publish") names=""; flags="--help --name --version --card --licence --tag --field --derived-from --signature --signer --media-type --trained-on --tested-on --translated-from --release-of --kept --json --profile" ;;
    "dataset") names="add"; flags="--help --json --profile" ;;
    "dataset add") names=""; flags="--help --name --version --card --licence --tag --field --derived-from --signature --signer --media-type --json --profile" ;;
    "call") names=""; flags="--help --input --json --profile" ;;
    "list") names="models datasets subjects grants tokens"; flags="--help --json --profile" ;;
    "list models") names=""; flags="--help --name --tag --digest --licence --ancestor --media-type --field --limit --after --json --profile" ;;
    "list datasets") names=""; flags="--help --name --tag --digest --licence --ancestor --media-type --field --limit --after --json --profile" ;;
    "list subjects") names=""; flags="--help --json --profile" ;;
    "list grants") names=""; flags="--help --subject --model --json --profile" ;;
    "list tokens") names=""; flags="--help --subject --json --profile" ;;
    "search") names=""; flags="--help --kind --tag --digest --licence --ancestor --media-type --field --limit --after --json --profile" ;;
    "show") names=""; flags="--help --json --profile" ;;
    "lineage") names=""; flags="--help --json --profile" ;;
    "default") names=""; flags="--help --json --profile" ;;
    "retire") names=""; flags="--help --json --profile" ;;
    "erase") names=""; flags="--help --yes --json --profile" ;;
    "edit") names=""; flags="--help --tag --untag --field --unfield --licence --no-licence --json --profile" ;;
    "card") names="set remove"; flags="--help --json --profile" ;;
    "card set") names=""; flags="--help --json --profile" ;;
    "card remove") names=""; flags="--help --json --profile" ;;
    "take") names=""; flags="--help --output --json --profile" ;;
    "receipt") names=""; flags="--help --output --of --json --profile" ;;
    "signature") names=""; flags="--help --output --public-key --statement --provenance --json --profile" ;;
    "history") names=""; flags="--help --prove --policy --json --profile" ;;
    "subject") names="add"; flags="--help --json --profile" ;;
    "subject add") names=""; flags="--help --role --json --profile" ;;
    "token") names="create rotate"; flags="--help --json --profile" ;;
    "token create") names=""; flags="--help --expires --json --profile" ;;
    "token rotate") names=""; flags="--help --json --profile" ;;
    "invite") names=""; flags="--help --expires --token-expires --url --json --profile" ;;
    "grant") names=""; flags="--help --quota --expires --json --profile" ;;
    "revoke") names="grant token subject"; flags="--help --json --profile" ;;
    "revoke grant") names=""; flags="--help --json --profile" ;;
    "revoke token") names=""; flags="--help --json --profile" ;;
    "revoke subject") names=""; flags="--help --json --profile" ;;
    "login") names=""; flags="--help --token --control-url --json --profile" ;;
    "whoami") names=""; flags="--help --json --profile" ;;
    "version") names=""; flags="--help --json --profile" ;;
    "backup") names=""; flags="--help --data --json --profile" ;;
    "restore") names=""; flags="--help --data --json --profile" ;;
    "fsck") names=""; flags="--help --data --repair --json --profile" ;;
    "ledger") names="renew"; flags="--help --json --profile" ;;
    "ledger renew") names=""; flags="--help --data --json --profile" ;;
    "migrate") names=""; flags="--help --to --blobs-to --data --json --profile" ;;
    "chain") names="init show"; flags="--help --json --profile" ;;
    "chain init") names=""; flags="--help --url --chain-id --finality --free --every --max-fee-per-gas --max-priority-fee-per-gas --max-transaction-fee --data --json --profile" ;;
    "chain show") names=""; flags="--help --json --profile" ;;
    "anchor") names=""; flags="--help --json --profile" ;;
    "train") names=""; flags="--help --name --version --seeds --priority --detach --json --profile" ;;
    "runs") names="list show logs verify evidence cancel"; flags="--help --json --profile" ;;
    "runs list") names=""; flags="--help --model --open --json --profile" ;;
    "runs show") names=""; flags="--help --json --profile" ;;
    "runs logs") names=""; flags="--help --follow --json --profile" ;;
    "runs verify") names=""; flags="--help --on --detach --json --profile" ;;
    "runs evidence") names=""; flags="--help --output --json --profile" ;;
    "runs cancel") names=""; flags="--help --json --profile" ;;
    "workers") names="add list remove"; flags="--help --json --profile" ;;
    "workers add") names=""; flags="--help --key --json --profile" ;;
    "workers list") names=""; flags="--help --json --profile" ;;
    "workers remove") names=""; flags="--help --json --profile" ;;
    "translate") names=""; flags="--help --output --evidence --name --version --runner --code --opset --exporter --allow-pickle --data --time --priority --detach --json --profile" ;;
    "verify") names=""; flags="--help --model --policy --file --evidence --replay --sample --json --profile" ;;
    "witness") names="init serve"; flags="--help --json --profile" ;;
    "witness init") names=""; flags="--help --data --name --json --profile" ;;
    "witness serve") names=""; flags="--help --data --listen --log --json --profile" ;;
    "completion") names=""; flags="--help --json --profile" ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  elif [[ -n $names ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _glasscase glasscase
