/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/program.h"

int main(int argc, char **argv)
{
    return service_main(&authenticator_service, argc, argv);
}
