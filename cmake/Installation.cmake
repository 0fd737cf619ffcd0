# `make install`: the programs (installed where they are declared), the one shared library that Debian does not have,
# shell completions and the systemd unit.
include_guard(GLOBAL)
include(GNUInstallDirs)

if(GLASSCASE_APPS)
  install(FILES "${GLASSCASE_DEPS_DIR}/onnxruntime/lib/libonnxruntime.so.1" DESTINATION lib/glasscase
          PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  install(FILES "${GLASSCASE_DEPS_DIR}/onnxruntime/LICENSE" DESTINATION share/doc/glasscase RENAME LICENSE.onnxruntime
          OPTIONAL)
  install(FILES LICENSE DESTINATION share/doc/glasscase)
  # At install time, when the prefix is known.
  install(CODE "configure_file(\"${CMAKE_SOURCE_DIR}/deploy/glasscase.service.in\"
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/glasscase.service\" @ONLY)")
  install(FILES apps/glasscase/completions/glasscase.bash RENAME glasscase
          DESTINATION share/bash-completion/completions OPTIONAL)
  install(FILES apps/glasscase/completions/_glasscase DESTINATION share/zsh/site-functions OPTIONAL)
  install(FILES apps/glasscase/completions/glasscase.fish DESTINATION share/fish/vendor_completions.d OPTIONAL)
endif()
