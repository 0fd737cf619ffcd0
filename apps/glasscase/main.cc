// glasscase: the command line. Everything is in service/commands.
#include <glasscase/commands/commands.h>

int main(int argc, char** argv) {
  return glasscase::commands::Run(
      glasscase::commands::SurroundingsOfThisProcess(argc, argv, GLASSCASE_VERSION));
}
