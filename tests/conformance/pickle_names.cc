// Prints what a file's pickles would import, one name to a line, a called one with "()"; then problems with
// "! ".
//
//   pickle_names FILE
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <glasscase/pickle/names.h>

int main(int count, char** words) {
  if (count != 2) return 2;
  std::ifstream file(words[1], std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const glasscase::pickle::Names found = glasscase::pickle::ReadNames(glasscase::AsBytes(bytes));
  for (const auto& name : found.names) std::printf("%s%s\n", name.Text().c_str(), name.called ? "()" : "");
  for (const std::string& problem : found.problems) std::printf("! %s\n", problem.c_str());
  return 0;
}
