#include <algorithm>

#include <glasscase/provenance/model_signature.h>

namespace glasscase::provenance {

void ResourceHasher::Begin(std::string_view path) {
  path_ = path;
  shard_begin_ = position_ = 0;
}

void ResourceHasher::Update(ByteSpan bytes) {
  while (!bytes.empty()) {
    size_t now = bytes.size();
    if (shard_bytes_ != 0) {
      if (position_ - shard_begin_ == shard_bytes_) EndShard();
      now = static_cast<size_t>(std::min<uint64_t>(now, shard_bytes_ - (position_ - shard_begin_)));
    }
    hash_.Update(bytes.first(now));
    position_ += now;
    bytes = bytes.subspan(now);
  }
}

void ResourceHasher::End() {
  if (shard_bytes_ == 0) {
    resources_.push_back({path_, hash_.Finish()});
  } else if (position_ != shard_begin_) {
    EndShard();
  }
}

void ResourceHasher::EndShard() {
  resources_.push_back(
      {path_ + ":" + std::to_string(shard_begin_) + ":" + std::to_string(position_), hash_.Finish()});
  shard_begin_ = position_;
}

}  // namespace glasscase::provenance
