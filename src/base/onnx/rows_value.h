// What the row proof knows about a value of the graph.
//
// Let the model be run on N rows. A value is
//   fixed    the same whatever N is and whatever the rows hold (weights, shapes of single rows), or a small
//            integer tensor whose elements are fixed or fixed multiples of N (what Shape gives);
//   rows     along dimension `axis` it has N·`block` entries, and entries [i·block, (i+1)·block) are what a
//            run on row i alone gives; all other dimensions are fixed.
// A rule is sound when it commutes with putting runs of single rows side by side.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace glasscase::onnx {

inline constexpr int kUnknownDim = -1;  // fixed, but not known to us
inline constexpr int kProofRankMax = 32;
inline constexpr size_t kElementsTracked = 64;  // of integer tensors
inline constexpr int64_t kBlockMax = 1 << 24;   // so that N·block cannot overflow at run time

// One element of an integer tensor.
struct Symbol {
  enum class Kind : uint8_t {
    kKnown,     // `number`
    kRowCount,  // `number` · N; `number` from 1 to kBlockMax
    kFixed,     // does not depend on N, not known
  };
  Kind kind = Kind::kFixed;
  int64_t number = 0;

  static Symbol Known(int64_t number) { return {Kind::kKnown, number}; }
  static Symbol RowCount(int64_t multiple) { return {Kind::kRowCount, multiple}; }
  static Symbol Fixed() { return {}; }
  bool IsKnown(int64_t value) const { return kind == Kind::kKnown && number == value; }
  bool operator==(const Symbol&) const = default;
};

struct Value {
  enum class Kind : uint8_t { kFixed, kRows };
  enum class ElementType : uint8_t { kInt64, kInt32, kBool };

  Kind kind = Kind::kFixed;
  bool has_rank = false;      // always true for rows
  std::vector<int64_t> dims;  // kUnknownDim where not known; dims[axis] of rows means nothing
  int axis = 0;               // of rows
  int64_t block = 1;          // of rows
  // Of fixed values of rank 0 or 1, where the elements are followed.
  bool has_elements = false;
  ElementType element_type = ElementType::kInt64;
  std::vector<Symbol> elements;

  static Value Fixed();  // of unknown rank
  static Value Fixed(std::vector<int64_t> dims);
  static Value Rows(std::vector<int64_t> dims, int axis, int64_t block);
  static Value Vector(std::vector<Symbol> elements);  // INT64, rank 1
  static Value Scalar(Symbol element);                // INT64, rank 0

  bool IsFixed() const { return kind == Kind::kFixed; }
  bool IsRows() const { return kind == Kind::kRows; }
  int rank() const { return static_cast<int>(dims.size()); }
  int64_t Dim(int i) const { return dims[static_cast<size_t>(i)]; }
  // Fixed, and some element counts the rows: may steer shapes, must not become data.
  bool CountsRows() const;
  // One element, whatever the rank.
  bool IsOneElement() const;
  // The elements, where all are known numbers.
  std::optional<std::vector<int64_t>> KnownNumbers() const;
  // The value without its elements.
  Value WithoutElements() const;
};

// True when both say the same, their elements left aside.
bool SameLayout(const Value& a, const Value& b);

// a·b for numbers from 0 up; nothing when it passes 2^62.
std::optional<int64_t> Multiply(int64_t a, int64_t b);
// The product; nothing when one is unknown or it passes 2^62.
std::optional<int64_t> Product(std::span<const int64_t> dims);

// `axis` in [0, rank), counted from the end when negative.
std::optional<int> NormalAxis(int64_t axis, int rank);

// What two dimensions broadcast to (NumPy's rule); nothing when they cannot.
std::optional<int64_t> BroadcastDim(int64_t a, int64_t b);

}  // namespace glasscase::onnx
