// What one decision costs, with 100,000 tokens and 10,000 grants loaded: at the edge (digest of the token,
// look-up, name, grant) and at the host (digest of the credential, look-up, grant, quota). Callers are drawn
// at random, so that rows come from memory as they would, not from the nearest cache. CPU time of the thread,
// median of nine.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <glasscase/access/decide.h>
#include <glasscase/access/quota.h>
#include <glasscase/access/token.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>

namespace {

using namespace glasscase;

constexpr int kTokens = 100'000;
constexpr int kGrants = 10'000;
constexpr int kModels = 100;
constexpr int kCallers = 4096;
constexpr int kRepeats = 9;
constexpr int64_t kNowMicros = 1'800'000'000'000'000;

struct Caller {
  std::string token;
  Digest credential;
  std::string model;
  Uuid model_id;
};

struct World {
  access::AccessTable edge, host;
  std::vector<Caller> callers;  // each has a grant
};

World MakeWorld() {
  SystemRandom random;
  access::TableUpdate edge;
  edge.reset = true;
  const Uuid owner = Uuid::Random();
  edge.subjects.push_back({owner, "owner", access::kOwner});
  std::vector<access::ModelRow> models;
  for (int i = 0; i < kModels; ++i) {
    access::VersionRow version;
    version.id = Uuid::Random();
    version.label = "1";
    access::ModelRow model;
    model.id = Uuid::Random();
    model.owner = owner;
    model.owner_name = "owner";
    model.name = "model" + std::to_string(i);
    model.default_version = version.id;
    model.versions.push_back(version);
    models.push_back(model);
  }
  edge.models = models;
  access::TableUpdate host = edge;
  World world;
  for (int i = 0; i < kTokens; ++i) {
    const Secret secret = access::NewToken(access::TokenKind::kAccess, random);
    const std::string token(secret.Reveal(RevealToken{}));
    const Uuid subject = Uuid::Random();
    access::TokenRow row{.id = Uuid::Random(), .subject = subject, .digest = access::EdgeDigest(token)};
    edge.subjects.push_back({subject, "learner" + std::to_string(i), access::kLearner});
    edge.tokens.push_back(row);
    row.digest = access::CredentialDigest(access::HostCredential(token));
    host.tokens.push_back(row);
    if (i % (kTokens / kGrants) != 0) continue;
    const access::ModelRow& model = models[static_cast<size_t>(i) % kModels];
    access::GrantRow grant;
    grant.id = Uuid::Random();
    grant.subject = subject;
    grant.model = model.id;
    grant.quota = access::Quota{.calls = 1'000'000, .period_ns = 1'000'000'000};
    edge.grants.push_back(grant);
    world.callers.push_back({token, access::HostCredential(token), model.name, model.id});
  }
  host.subjects = edge.subjects;
  host.grants = edge.grants;
  world.edge.Apply(edge);
  world.host.Apply(host);
  std::shuffle(world.callers.begin(), world.callers.end(), std::mt19937(1));
  world.callers.resize(kCallers);
  return world;
}

double CpuNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Microseconds of CPU per call of `decide`, which returns whether it allowed.
template <typename Decide>
double Measure(const World& world, Decide decide) {
  std::vector<double> micros;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = CpuNanos();
    for (const Caller& caller : world.callers) GC_CHECK(decide(caller));
    micros.push_back((CpuNanos() - start) / kCallers / 1e3);
  }
  std::nth_element(micros.begin(), micros.begin() + kRepeats / 2, micros.end());
  return micros[kRepeats / 2];
}

}  // namespace

int main() {
  const World world = MakeWorld();
  const int memory = memfd_create("quota", MFD_CLOEXEC);
  GC_CHECK(memory >= 0 && ftruncate(memory, access::QuotaLedger::kMemoryBytes) == 0);
  access::QuotaLedger ledger = std::move(*access::QuotaLedger::Open(memory));
  uint64_t now_ns = 1'000'000'000'000;

  const double edge = Measure(world, [&](const Caller& caller) {
    const access::Caller who = access::Identify(world.edge, access::EdgeDigest(caller.token), kNowMicros);
    if (!who.known()) return false;
    bool ambiguous = false;
    const access::ModelRow* model = access::ResolveModel(world.edge, *who.subject, caller.model, &ambiguous);
    return access::DecideCall(world.edge, *who.subject, model, {}, kNowMicros).allowed;
  });
  const double host = Measure(world, [&](const Caller& caller) {
    const access::Caller who =
        access::Identify(world.host, access::CredentialDigest(caller.credential), kNowMicros);
    if (!who.known()) return false;
    const access::CallVerdict verdict =
        access::DecideCall(world.host, *who.subject, world.host.FindModel(caller.model_id), {}, kNowMicros);
    if (!verdict.allowed) return false;
    now_ns += 1000;
    return ledger.Debit(verdict.grant->id, *verdict.grant->quota, now_ns)->allowed;
  });
  std::printf(
      "{\"tokens\": %d, \"grants\": %d, \"sha_instructions\": %s, \"edge_us\": %.3f, \"host_us\": %.3f}\n",
      kTokens, kGrants, CpuHasShaInstructions() ? "true" : "false", edge, host);
  return 0;
}
