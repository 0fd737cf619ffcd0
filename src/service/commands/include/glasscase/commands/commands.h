// The glasscase command line: words in, requests to a server out, answers printed.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace glasscase::commands {

// What the commands take from outside besides the network and the file system.
struct Surroundings {
  std::vector<std::string> arguments;  // without the program's own name
  std::map<std::string, std::string> environment;
  std::string program_directory;  // where glasscased and glasscase-custodian lie
  std::string version;            // of the program
};

// Reads /proc/self/exe and the environment of this process.
Surroundings SurroundingsOfThisProcess(int argc, char** argv, std::string version);

// Runs one command. 0: done; 1: refused or failed; 2: used wrongly.
int Run(const Surroundings& surroundings);

}  // namespace glasscase::commands
