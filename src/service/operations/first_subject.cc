#include <glasscase/operations/first_subject.h>

#include "desk.h"
#include "names.h"

namespace glasscase::operations {
namespace {

Result<FirstSubject> AddToken(catalog::Catalog& catalog, const Clock& clock, RandomSource& random,
                              FirstSubject first, const Uuid& subject) {
  MadeToken made = MakeToken(clock, random, subject, 0);
  GC_TRY(const auto transaction, catalog.Begin());
  GC_TRY_VOID(transaction->InsertToken(made.row));
  GC_TRY_VOID(transaction->Commit());
  first.token = std::move(made.token);
  return first;
}

Result<FirstSubject> FindFirst(const catalog::Catalog& catalog, const std::string& installation, Uuid* id) {
  FirstSubject first;
  GC_TRY(first.installation, Uuid::Parse(installation));
  GC_TRY(const auto owner, catalog.Setting(catalog::kFirstOwnerSetting));
  GC_TRY(*id, Uuid::Parse(owner.value_or("")));
  GC_TRY(const auto subject, catalog.FindSubject(*id));
  if (!subject) return Fail(Error::DataLoss("the first subject is not in the catalog: " + id->ToString()));
  first.name = subject->name;
  return first;
}

}  // namespace

Result<FirstSubject> EnsureFirstSubject(catalog::Catalog& catalog, const Clock& clock, RandomSource& random,
                                        std::string_view owner_name, bool new_token) {
  GC_TRY(const auto installation, catalog.Setting(catalog::kInstallationSetting));
  if (installation) {
    Uuid id;
    GC_TRY(FirstSubject first, FindFirst(catalog, *installation, &id));
    if (!new_token) return first;
    return AddToken(catalog, clock, random, std::move(first), id);
  }
  GC_TRY_VOID(CheckSubjectName(owner_name));
  catalog::Subject subject;
  subject.id = Uuid::Random();
  subject.name = owner_name;
  subject.roles = access::kOperator | access::kOwner;
  subject.host_slot = 0;
  subject.created_micros = clock.WallMicros();
  MadeToken made = MakeToken(clock, random, subject.id, 0);
  FirstSubject first{
      .installation = Uuid::Random(), .name = subject.name, .created = true, .token = std::move(made.token)};
  GC_TRY(const auto transaction, catalog.Begin());
  GC_TRY_VOID(transaction->InsertSubject(subject));
  GC_TRY_VOID(transaction->InsertToken(made.row));
  GC_TRY_VOID(transaction->SetSetting(catalog::kFirstOwnerSetting, subject.id.ToString()));
  GC_TRY_VOID(transaction->SetSetting(catalog::kInstallationSetting, first.installation.ToString()));
  GC_TRY_VOID(transaction->Commit());
  return first;
}

}  // namespace glasscase::operations
